"""The safety filter between the policy and the arm: named checks, latched reactions, motion inside the limits."""
