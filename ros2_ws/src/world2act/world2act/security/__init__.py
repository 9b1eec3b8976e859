"""Who may use which topic, service and action: one table, and the SROS2 policy that is made from it."""
