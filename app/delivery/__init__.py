"""Messages on their way out: where one may go, and one attempt to send it. No database here."""
