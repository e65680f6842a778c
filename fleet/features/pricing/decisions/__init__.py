"""The decisions of pricing: elasticities, proposals and results. Pure."""
