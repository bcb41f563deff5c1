"""The Cashu wallet and the encrypted store. Knows nothing of circuits."""
