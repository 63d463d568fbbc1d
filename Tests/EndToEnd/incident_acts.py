"""Every incident that is acted out, family by family."""

import incident_acts_credentials
import incident_acts_edits
import incident_acts_nodes
import incident_acts_peer
import incident_acts_routing
import incident_acts_state
import incident_acts_sync
from incident_stage import INCIDENTS, SECRETS, Stage

FAMILIES = (
    incident_acts_credentials, incident_acts_edits, incident_acts_nodes, incident_acts_peer, incident_acts_routing,
    incident_acts_state, incident_acts_sync)

__all__ = ["FAMILIES", "INCIDENTS", "SECRETS", "Stage"]
