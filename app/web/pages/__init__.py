"""Pages for the public: joining a program, and a person's own page. They need no JavaScript."""
