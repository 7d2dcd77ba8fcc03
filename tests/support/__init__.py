"""What several tests share: a server, databases, connections, interleavings, small trees."""
