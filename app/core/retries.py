"""What is tried again by itself, and when: only what surely never reached the provider."""

from datetime import timedelta

from app.core.errors import ProviderError, ProviderOutcomeUnknownError

# Seconds before each further attempt, at least: a caller waits, and a thread with it.
_PAUSES = (0.3, 1.0)
# Who is asked to wait longer gives the message back to the caller.
_LONGEST_PAUSE = 3.0

# What a caller is told to wait where the provider has not said it.
USUAL_WAIT = timedelta(seconds=10)


def pause_after(error: ProviderError, attempts: int) -> float | None:
    """Seconds until the next attempt after so many; None: there is none.

    A request that the provider turned away as one too many (429) is tried again when it says, one
    that surely never arrived after a moment. An unknown outcome is never repeated.
    """
    if not may_be_repeated(error) or attempts > len(_PAUSES):
        return None
    asked = error.retry_after.total_seconds() if error.retry_after else 0.0
    pause = max(asked, _PAUSES[attempts - 1])
    return pause if pause <= _LONGEST_PAUSE else None


def wait_before_repeating(error: ProviderError) -> timedelta | None:
    """What to tell a caller, where the same message may be sent again later; else None."""
    return (error.retry_after or USUAL_WAIT) if may_be_repeated(error) else None


def may_be_repeated(error: ProviderError) -> bool:
    """Whether the same message may be sent again without being sent twice."""
    return not error.permanent and not isinstance(error, ProviderOutcomeUnknownError)
