"""The GraphQL documents that the adapter sends. Pure.

Products and their variants are asked for apart: nested, 100 of them take three times as long (docs/shops/vendure.md).
A write of prices or stock reads only these: options and names of variants take most of the shop's time for a batch.
Prices are those of `prices`, as they are stored: `price` is without tax, also where a channel stores them with it.
"""

from __future__ import annotations

_PRODUCT = """
  id slug name description enabled createdAt updatedAt featuredAsset { id } assets { id name source }
  facetValues { id name facet { code } }"""
_STOCK = "stockLevels { stockLocationId stockOnHand stockAllocated }"
_PRICE = "currencyCode prices { price currencyCode }"
_VARIANT = f"id productId sku name {_PRICE} updatedAt options {{ name group {{ name }} }} {_STOCK}"
_PRICED = f"id productId sku {_PRICE} updatedAt"
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
PRICES = f"""query Prices($skip: Int!, $take: Int!, $filter: ProductVariantFilterParameter) {{
  productVariants(options: {{ skip: $skip, take: $take, sort: {{ id: ASC }}, filter: $filter }}) {{
    totalItems items {{ {_PRICED} }} }} }}"""
UPDATE_PRICES = f"""mutation UpdatePrices($input: [UpdateProductVariantInput!]!) {{
  updateProductVariants(input: $input) {{ {_PRICED} }} }}"""
UPDATE_LEVELS = f"""mutation UpdateLevels($input: [UpdateProductVariantInput!]!) {{
  updateProductVariants(input: $input) {{ id updatedAt {_STOCK} }} }}"""
CREATED = "query Created($id: ID!) { product(id: $id) { id createdAt optionGroups { id name options { id name } } } }"
LANGUAGES = "query Languages($id: ID!) { product(id: $id) { id translations { languageCode } } }"
FACET_VALUES = """query FacetValues($id: ID!) { product(id: $id) { id facetValues { id facet { code } } } }"""
CREATE_PRODUCT = "mutation CreateProduct($input: CreateProductInput!) { createProduct(input: $input) { id } }"
UPDATE_PRODUCT = "mutation UpdateProduct($input: UpdateProductInput!) { updateProduct(input: $input) { id } }"
DELETE_PRODUCT = "mutation DeleteProduct($id: ID!) { deleteProduct(id: $id) { result message } }"
CREATE_VARIANTS = """mutation CreateVariants($input: [CreateProductVariantInput!]!) {
  createProductVariants(input: $input) { id sku } }"""
CREATE_GROUP = """mutation CreateGroup($input: CreateProductOptionGroupInput!) {
  createProductOptionGroup(input: $input) { id name options { id name } } }"""
ADD_GROUP = """mutation AddGroup($product: ID!, $group: ID!) {
  addOptionGroupToProduct(productId: $product, optionGroupId: $group) { id } }"""
CREATE_OPTION = """mutation CreateOption($input: CreateProductOptionInput!) {
  createProductOption(input: $input) { id name } }"""
ASSETS = """query Assets($names: [String!]!) {
  assets(options: { take: 1000, sort: { id: ASC }, filter: { name: { in: $names } } }) { items { id name } } }"""
CREATE_ASSET = f"""mutation CreateAsset($file: Upload!) {{
  createAssets(input: [{{ file: $file }}]) {{ {_FAILED} ... on Asset {{ id }} }} }}"""
FACET = """query Facet($code: String!) {
  facets(options: { take: 1, sort: { id: ASC }, filter: { code: { eq: $code } } }) { items { id } } }"""
CATEGORIES = """query Categories($facet: String!, $names: [String!]!) { facetValues(options: {
  take: 1000, sort: { id: ASC }, filter: { facetId: { eq: $facet }, name: { in: $names } } }) { items { id name } } }"""
CREATE_FACET = "mutation CreateFacet($input: CreateFacetInput!) { createFacet(input: $input) { id } }"
CREATE_CATEGORIES = """mutation CreateCategories($input: [CreateFacetValueInput!]!) {
  createFacetValues(input: $input) { id name } }"""

_ORDER = """
  id code state orderPlacedAt updatedAt totalWithTax currencyCode
  customer { id firstName lastName emailAddress } shippingAddress { fullName countryCode }
  lines { id quantity orderPlacedQuantity discountedUnitPriceWithTax productVariant { id sku name } }
  fulfillments { id state trackingCode createdAt updatedAt lines { orderLineId quantity } }
  payments { id state amount refunds { id state total } }"""
ORDERS = f"""query Orders($skip: Int!, $take: Int!, $filter: OrderFilterParameter) {{
  orders(options: {{ skip: $skip, take: $take, sort: {{ id: ASC }}, filter: $filter }}) {{
    totalItems items {{ {_ORDER} }} }} }}"""
ORDER = f"query Order($id: ID!) {{ order(id: $id) {{ {_ORDER} }} }}"
ADD_FULFILMENT = f"""mutation AddFulfilment($input: FulfillOrderInput!) {{
  addFulfillmentToOrder(input: $input) {{ {_FAILED} ... on Fulfillment {{ id state }} }} }}"""
MOVE_FULFILMENT = f"""mutation MoveFulfilment($id: ID!, $state: String!) {{
  transitionFulfillmentToState(id: $id, state: $state) {{ {_FAILED} ... on Fulfillment {{ id state }} }} }}"""
CANCEL_ORDER = f"""mutation CancelOrder($input: CancelOrderInput!) {{
  cancelOrder(input: $input) {{ {_FAILED} ... on Order {{ id state }} }} }}"""
REFUND_ORDER = f"""mutation RefundOrder($input: RefundOrderInput!) {{
  refundOrder(input: $input) {{ {_FAILED} ... on Refund {{ id state }} }} }}"""
