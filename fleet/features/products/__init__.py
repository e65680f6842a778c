"""The feature products: the catalogue of an organisation, and its stock by location."""
