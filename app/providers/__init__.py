"""The outside world's words end here: each provider translates its own into the core's."""
