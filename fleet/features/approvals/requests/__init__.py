"""Commands on requests for approval, and who may use them."""
