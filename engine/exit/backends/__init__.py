"""Clients of AI providers, one module per wire format. All errors leave as ProviderError."""
