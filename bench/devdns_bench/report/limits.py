"""What the figures do not show: limits of the method, and threats to validity, as paragraphs of the report."""

from __future__ import annotations

LIMITS = (
    "Construct. Every approach runs in mount, network and process namespaces of its own, with a private hosts file and resolv.conf and "
    "an otherwise empty machine. That keeps runs alike and the machine untouched, but a real machine has other services, VPNs and "
    "resolvers, and its Docker Engine usually adds packet filter rules, which are off here because they are not in every kernel: "
    "published ports go through docker-proxy, which accepts connections before the service listens.",
    "What stands for a service is a small Python server with a start of half a second in the scenarios of change; frameworks take "
    "longer, and every outage grows with that. On SIGTERM it ends at once, as the standard library's server does: approaches that rely on a "
    "graceful end are at a disadvantage.",
    "A person is not measured here. Where an approach needs a hand, the operator's reaction time is a stated parameter, and the doing itself "
    "takes no time beyond that of its commands. Results are given with the hand at once and with the reaction time, added in the "
    "arithmetic, not waited for: outage and recovery grow by it, and failed requests by the rate times it. Counts of commands and edits in "
    "setup are of a person who makes no mistakes and knows the manual; typing time is not in the times. The lines that each service has in a "
    "compose file anyway (published ports, labels) are not counted for any approach.",
    "Half of the requests are POST. The probe sends each request once, whatever becomes of it; whether a proxy sent one on twice is not "
    "counted here.",
    "Configuration. Each peer has the configuration that its manual shows for this purpose, on one worker, without access log. portless is "
    "used by aliases, as its manual says for Docker; its own way, starting the service itself, would give a service that moves a new port "
    "without a hand. Plain ports with `docker compose` keep their published port over a recreation, which is why they do well there. "
    "dnsmasq and CoreDNS send the whole zone to this machine by one line. In scenarios without containers Traefik reads a file.",
    "Internal validity. The order of the runs is drawn from the seed, interleaved by repeat, so that a drift of the machine meets all "
    "approaches alike; the load before each run is in its row. Everything runs on one machine: in latency, throughput, dns and routes the approach "
    "is bound to one core and the load to the others, so rates are bounded by the load's core too, and CPU for each request is the steadier figure. "
    "Scenarios of change are not bound: the Docker Engine competes with the approach, as it does on a developer's machine.",
    "Statistical conclusion. The run is the unit, not the request. Intervals are claimed from 20 runs on; below, the range is shown. Tests "
    "are corrected within a figure (Holm), not over the whole report: of a hundred figures without any difference some would still show one. "
    "Runs that did not end are cut off, not left out: their median is Kaplan and Meier's, and in tests they rank last.",
    "Delay and loss are made in user space, because netem is not in every kernel: loss is what the ends of a TCP connection see of it, "
    "one retransmission later, not a lost packet.",
    "External validity. One machine, one kernel, one version of each peer, as printed above. Figures of other machines differ in size; "
    "what should carry over is which approach loses requests, sends them to the wrong service, or needs a hand.",
)
