"""The product factory: durable, verifiable instances of versioned templates."""
