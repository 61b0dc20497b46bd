"""Every vendor: how its requests prove their origin, and what they mean."""

from typing import Final, NamedTuple

from connectors.collect.dialects.parsed import Parse
from connectors.collect.webhooks import crm, mail, meta, others, proof, shopify, square, stripe
from connectors.collect.webhooks.proof import Prove
from pipeline.rules.sources import Vendor


class VendorWebhook(NamedTuple):
    """The two halves of a vendor's webhook."""

    prove: Prove
    parse: Parse


VENDORS: Final[dict[Vendor, VendorWebhook]] = {
    "bottlecrm": VendorWebhook(proof.bottlecrm, crm.bottlecrm),
    "google": VendorWebhook(proof.google, others.google),
    "hubspot": VendorWebhook(proof.hubspot, crm.hubspot),
    "mailgun": VendorWebhook(proof.mailgun, mail.mailgun),
    "meta": VendorWebhook(proof.meta, meta.meta),
    "sendgrid": VendorWebhook(proof.sendgrid, mail.sendgrid),
    "shopify": VendorWebhook(proof.shopify, shopify.shopify),
    "square": VendorWebhook(proof.square, square.square),
    "standard": VendorWebhook(proof.standard, others.standard),
    "stripe": VendorWebhook(proof.stripe, stripe.stripe),
    "zoho": VendorWebhook(proof.zoho, crm.zoho),
}
