"""Two shop systems of others, Vendure and Oscar, run for real on this machine; `make stores` installs them."""
