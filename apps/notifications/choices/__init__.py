"""What goes out by what, when, in what words, and why: decided without a database."""
