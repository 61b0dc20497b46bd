"""The way back: changes in a CRM become events of the channel crm."""
