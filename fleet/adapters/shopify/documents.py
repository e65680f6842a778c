"""The GraphQL documents that Fleet sends to Shopify. Used by `shopify` alone.

Sizes of lists keep each below 1,000 points. An object costs a point, and a list as many as it may have.
"""

from __future__ import annotations

PRODUCT_PAGE, STOCK_PAGE, ORDER_PAGE = 15, 30, 10
"""How many objects one page of a sweep has."""
_VARIANT = """
fragment Variant on ProductVariant {
  id sku title price barcode updatedAt selectedOptions { name value }
  inventoryItem {
    id
    inventoryLevels(first: 3) {
      nodes { quantities(names: ["on_hand"]) { name quantity } } pageInfo { hasNextPage }
    }
  }
}
"""
_PRODUCT = """
fragment Product on Product {
  id handle title descriptionHtml status tags updatedAt onlineStoreUrl
  media(first: %(media)d) { nodes { id alt ... on MediaImage { image { url } } } pageInfo { hasNextPage } }
  variants(first: %(variants)d) { nodes { ...Variant } pageInfo { hasNextPage endCursor } }
}
"""
_FEW = _PRODUCT % {"media": 5, "variants": 5} + _VARIANT
_MANY = _PRODUCT % {"media": 50, "variants": 90} + _VARIANT
SHOP = """
query FleetShop {
  shop { name currencyCode myshopifyDomain primaryDomain { url } }
  locations(first: 200) { nodes { id name isActive } }
}
"""
CHECK = "query FleetCheck { shop { id myshopifyDomain primaryDomain { url } } }"
PRODUCTS = (
    """
query FleetProducts($first: Int!, $query: String, $counts: Boolean!) {
  shop { currencyCode }
  productsCount @include(if: $counts) { count }
  products(first: $first, query: $query, sortKey: ID) { nodes { ...Product } pageInfo { hasNextPage } }
}
"""
    + _FEW
)
PRODUCT = (
    """
query FleetProduct($id: ID!) { shop { currencyCode } product(id: $id) { ...Product } }
"""
    + _MANY
)
PRODUCT_BY = (
    """
query FleetProductBy($identifier: ProductIdentifierInput!) {
  shop { currencyCode }
  productByIdentifier(identifier: $identifier) { ...Product }
}
"""
    + _MANY
)
VARIANTS = (
    """
query FleetVariants($id: ID!, $after: String) {
  product(id: $id) { variants(first: 100, after: $after) { nodes { ...Variant } pageInfo { hasNextPage endCursor } } }
}
"""
    + _VARIANT
)
OWNERS = """
query FleetOwners($query: String!) { productVariants(first: 100, query: $query) { nodes { sku product { id } } } }
"""
PRICES = """
query FleetPrices($ids: [ID!]!) { shop { currencyCode } nodes(ids: $ids) { ... on ProductVariant { id sku price } } }
"""
_STOCK = """
fragment Stock on ProductVariant {
  id updatedAt
  inventoryItem {
    id
    inventoryLevels(first: 10) {
      nodes { location { id } quantities(names: ["available", "on_hand"]) { name quantity } }
      pageInfo { hasNextPage }
    }
  }
}
"""
STOCK = (
    """
query FleetStock($first: Int!, $query: String) {
  productVariants(first: $first, query: $query, sortKey: ID) { nodes { ...Stock } pageInfo { hasNextPage } }
}
"""
    + _STOCK
)
STOCK_OF = "query FleetStockOf($ids: [ID!]!) { nodes(ids: $ids) { ...Stock } }" + _STOCK
LEVELS = """
query FleetLevels($id: ID!) {
  inventoryItem(id: $id) {
    inventoryLevels(first: 200) {
      nodes { location { id } quantities(names: ["available", "on_hand"]) { name quantity } }
    }
  }
}
"""
ITEMS = "query FleetItems($ids: [ID!]!) { nodes(ids: $ids) { ... on ProductVariant { id inventoryItem { id } } } }"
_ORDER = """
fragment Order on Order {
  id name createdAt updatedAt cancelledAt displayFinancialStatus displayFulfillmentStatus
  totalPriceSet { shopMoney { amount currencyCode } }
  lineItems(first: %(lines)d) {
    nodes {
      id sku title quantity currentQuantity unfulfilledQuantity variant { id }
      originalUnitPriceSet { shopMoney { amount currencyCode } }
    }
    pageInfo { hasNextPage endCursor }
  }
  fulfillments(first: %(parcels)d) {
    id createdAt status displayStatus trackingInfo(first: 1) { number }
    fulfillmentLineItems(first: %(lines)d) { nodes { quantity lineItem { id } } }
  }
  customer { id displayName defaultEmailAddress { emailAddress } }
  shippingAddress { countryCodeV2 }
}
"""
ORDERS = (
    """
query FleetOrders($first: Int!, $after: String, $query: String) {
  orders(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {
    nodes { ...Order } pageInfo { hasNextPage endCursor }
  }
}
"""
    + _ORDER % {"lines": 8, "parcels": 2}
)
ORDER = "query FleetOrder($id: ID!) { order(id: $id) { ...Order } }" + _ORDER % {"lines": 50, "parcels": 5}
LINES = """
query FleetLines($id: ID!, $after: String) {
  order(id: $id) {
    lineItems(first: 100, after: $after) {
      nodes {
        id sku title quantity currentQuantity unfulfilledQuantity variant { id }
        originalUnitPriceSet { shopMoney { amount currencyCode } }
      }
      pageInfo { hasNextPage endCursor }
    }
  }
}
"""
OPEN_PARCELS = """
query FleetOpenParcels($id: ID!) {
  order(id: $id) { fulfillmentOrders(first: 50) { nodes { id status supportedActions { action } } } }
}
"""
REFUNDABLE = """
query FleetRefundable($id: ID!) {
  order(id: $id) {
    suggestedRefund(suggestFullRefund: true) {
      refundLineItems { lineItem { id } quantity restockType location { id } }
      shipping { amountSet { shopMoney { amount } } }
      suggestedTransactions { amountSet { shopMoney { amount } } gateway parentTransaction { id } }
    }
  }
}
"""
DEFINITION = """
query FleetDefinition($namespace: String!, $key: String!) {
  metafieldDefinitions(first: 1, ownerType: PRODUCT, namespace: $namespace, key: $key) { nodes { id } }
}
"""
DEFINE = """
mutation FleetDefine($definition: MetafieldDefinitionInput!) {
  metafieldDefinitionCreate(definition: $definition) { createdDefinition { id } userErrors { code field message } }
}
"""
PRODUCT_SET = """
mutation FleetProductSet($identifier: ProductSetIdentifiers, $input: ProductSetInput!) {
  productSet(identifier: $identifier, input: $input, synchronous: true) {
    product { id variants(first: 250) { nodes { id sku } } }
    userErrors { code field message }
  }
}
"""
PRODUCT_UPDATE = """
mutation FleetProductUpdate($product: ProductUpdateInput!) {
  productUpdate(product: $product) { product { id } userErrors { field message } }
}
"""
PRODUCT_DELETE = """
mutation FleetProductDelete($input: ProductDeleteInput!) {
  productDelete(input: $input) { deletedProductId userErrors { field message } }
}
"""
SET_QUANTITIES = """
mutation FleetSetQuantities($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) {
    inventoryAdjustmentGroup { id }
    userErrors { code field message }
  }
}
"""
FULFIL = """
mutation FleetFulfil($fulfillment: FulfillmentInput!) {
  fulfillmentCreate(fulfillment: $fulfillment) { fulfillment { id } userErrors { field message } }
}
"""
CANCEL = """
mutation FleetCancel($orderId: ID!, $refundMethod: OrderCancelRefundMethodInput!, $staffNote: String) {
  orderCancel(
    orderId: $orderId, reason: OTHER, restock: true, refundMethod: $refundMethod, notifyCustomer: false,
    staffNote: $staffNote
  ) { job { id done } orderCancelUserErrors { code field message } }
}
"""
REFUND = """
mutation FleetRefund($input: RefundInput!, $key: String!) {
  refundCreate(input: $input) @idempotent(key: $key) { refund { id } userErrors { field message } }
}
"""
SUBSCRIPTIONS = """
query FleetSubscriptions($first: Int!, $topics: [WebhookSubscriptionTopic!]) {
  webhookSubscriptions(first: $first, topics: $topics) { nodes { id topic uri } }
}
"""
SUBSCRIBE = """
mutation FleetSubscribe($topic: WebhookSubscriptionTopic!, $webhookSubscription: WebhookSubscriptionInput!) {
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: $webhookSubscription) {
    webhookSubscription { id }
    userErrors { field message }
  }
}
"""


ADD_VARIANTS = """mutation FleetAddVariants($product: ID!, $variants: [ProductVariantsBulkInput!]!) {
  productVariantsBulkCreate(productId: $product, variants: $variants) {
    productVariants { id sku } userErrors { code field message } } }"""


def update_variants(products: int) -> str:
    """Return the mutation that updates variants of so many products, one after the other.

    They are not atomic together: the variables are `p0` and `v0` for the first product.
    """
    numbers = range(products)
    variables = ", ".join(f"$p{at}: ID!, $v{at}: [ProductVariantsBulkInput!]!" for at in numbers)
    fields = " ".join(
        f"m{at}: productVariantsBulkUpdate(productId: $p{at}, variants: $v{at}, allowPartialUpdates: false) "
        "{ productVariants { id sku price updatedAt } userErrors { code field message } }"
        for at in numbers
    )
    return f"mutation FleetUpdateVariants({variables}) {{ {fields} }}"
