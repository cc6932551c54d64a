"""A secret goes everywhere that this program goes, and is found nowhere but in the places made for it."""
