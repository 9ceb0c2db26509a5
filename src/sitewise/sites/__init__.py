"""The hospitals: effects by site, site predictions."""
