"""HubSpot: each action becomes a contact with fields of its own, an owner and a note with the story."""
