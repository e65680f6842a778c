"""The shop's pages for people: the storefront, a product with its form to edit it by hand, and the orders."""
