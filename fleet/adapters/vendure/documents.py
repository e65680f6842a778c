"""The GraphQL documents that the adapter sends. Pure.

Products and their variants are asked for apart: nested, 100 of them take seven times as long (docs/shops/vendure.md).
"""

from __future__ import annotations

_PRODUCT = """
  id slug name description enabled createdAt updatedAt featuredAsset { id } assets { id name source }
  facetValues { id name facet { code } }"""
_STOCK = "stockLevels { stockLocationId stockOnHand stockAllocated }"
_VARIANT = f"id productId sku name price currencyCode updatedAt options {{ name group {{ name }} }} {_STOCK}"
_FAILED = "__typename ... on ErrorResult { errorCode message }"

SHOP = """query Shop { activeChannel {
  id code defaultCurrencyCode defaultLanguageCode seller { name }
} stockLocations(options: { take: 100, sort: { id: ASC } }) { items { id name } } }"""
CHECK = """query Check { activeChannel { id code } activeAdministrator { id emailAddress } }"""
PRODUCTS = f"""query Products($skip: Int!, $take: Int!, $filter: ProductFilterParameter) {{
  products(options: {{ skip: $skip, take: $take, sort: {{ id: ASC }}, filter: $filter }}) {{
    totalItems items {{ {_PRODUCT} }} }} }}"""
VARIANTS = f"""query Variants($skip: Int!, $take: Int!, $filter: ProductVariantFilterParameter) {{
  productVariants(options: {{ skip: $skip, take: $take, sort: {{ id: ASC }}, filter: $filter }}) {{
    totalItems items {{ {_VARIANT} }} }} }}"""
VARIANT_PRODUCTS = """query VariantProducts($skip: Int!, $take: Int!, $filter: ProductVariantFilterParameter) {
  productVariants(options: { skip: $skip, take: $take, sort: { id: ASC }, filter: $filter }) {
    totalItems items { id productId } } }"""
LEVELS = f"""query Levels($skip: Int!, $take: Int!, $filter: ProductVariantFilterParameter) {{
  productVariants(options: {{ skip: $skip, take: $take, sort: {{ id: ASC }}, filter: $filter }}) {{
    totalItems items {{ id updatedAt {_STOCK} }} }} }}"""
UPDATE_VARIANTS = f"""mutation UpdateVariants($input: [UpdateProductVariantInput!]!) {{
  updateProductVariants(input: $input) {{ id productId sku name price currencyCode updatedAt {_STOCK} }} }}"""
