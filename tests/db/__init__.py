"""The service's connections and transactions, on good days and bad ones."""
