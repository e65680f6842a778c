"""Providers of pictures: one file a vendor. They know no tables; `fleet.features.pictures.making` pays for them."""
