"""The feature orders: orders of all stores, with as little as possible about customers."""
