"""Listings: products at stores, staged, published, verified and taken back."""
