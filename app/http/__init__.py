"""What happens to a request before its operation runs, and to a response after it."""
