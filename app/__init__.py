"""The product factory: durable, verifiable instances of versioned templates."""

__version__ = "0.1.0"
