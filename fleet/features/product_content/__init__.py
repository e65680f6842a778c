"""Titles, descriptions and alt texts of products, written from their facts alone, checked, and approved by people."""
