"""Every incident that is acted out, family by family."""

import incident_acts_edits
import incident_acts_routing
import incident_acts_state
from incident_stage import INCIDENTS, SECRETS, Stage

__all__ = ["INCIDENTS", "SECRETS", "Stage", "incident_acts_edits", "incident_acts_routing", "incident_acts_state"]
