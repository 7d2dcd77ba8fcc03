"""CloudEvents from brokers into the intake that HTTP uses; with the extra `brokers`."""
