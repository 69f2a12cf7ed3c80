"""How jh2 is set up to speak HTTP/2 with a service: its windows, and where its own rules do not fit a proxy."""

from __future__ import annotations

from jh2.config import H2Configuration
from jh2.connection import ConnectionInputs, ConnectionState, H2Connection, H2ConnectionStateMachine
from jh2.settings import SettingCodes, Settings

#: Bytes of a response that may be on their way to a client that does not read.
WINDOW = 262_144
#: The same for all responses of a connection together, which no client holds up.
WHOLE_WINDOW = 16_777_216
#: What every side may send before it has heard otherwise (RFC 9113 section 6.5.2); jh2 supposes more.
FIRST_WINDOW = 65_535
#: Fields are checked where they become lines (`h2up.words`), and come from lines that were checked.
CONFIGURATION = H2Configuration(
    client_side=True,
    header_encoding=None,
    validate_outbound_headers=False,
    normalize_outbound_headers=False,
    validate_inbound_headers=False,
    normalize_inbound_headers=False,
)


class Lasting(H2ConnectionStateMachine):  # type: ignore[misc] # the library ships no types
    """A service that says GOAWAY still answers what it has taken (RFC 9113 section 6.8); the library's own ends there."""

    _transitions = H2ConnectionStateMachine._transitions | {  # noqa: SLF001 # a table, and the one entry that is wrong
        (state, ConnectionInputs.RECV_GOAWAY): (None, state)
        for state in (ConnectionState.IDLE, ConnectionState.CLIENT_OPEN)
    }


def begun() -> H2Connection:
    """A connection as a client begins it, its first bytes ready to be sent."""
    h2 = H2Connection(CONFIGURATION)
    h2.state_machine = Lasting()
    h2.local_settings = Settings(
        client=True, initial_values={SettingCodes.ENABLE_PUSH: 0, SettingCodes.INITIAL_WINDOW_SIZE: WINDOW}
    )
    h2.remote_settings.initial_window_size = FIRST_WINDOW
    h2.remote_settings.acknowledge()
    h2.initiate_connection()
    h2.increment_flow_control_window(WHOLE_WINDOW - FIRST_WINDOW)
    return h2
