"""Incidents of several gateways and machines: which one is which, and what each of them did."""

from incident_stage import CONFIGURATION, PROMPT, SERVICE_KEY, incident, require
from support import Gateway, message


@incident("S8", "Every restart of the container is another machine in the lists.",
          (["window", "--kind", "gateway.identified"], r"^\S+ +{at} +the log is node "))
def restarted_container(stage):
    stage.culprit_since(0, "gateway", "gateway.identified")

    def node():
        named = [event["fields"]["node"] for event in stage.box.window() if event["kind"].startswith("gateway.identified")]
        require(len(named) == 1, named)
        return named[0]

    first, starts = node(), 0
    for end in (stage.box.kill, stage.box.stop, stage.box.kill):
        end()
        stage.start()
        stage.ask(200, 1)
        starts += 1
        require(node() == first, (node(), first))
    stage.request = None
    stage.outcome = (
        f"A node's name is made once, at the first start, and stands in the log: after {starts} more starts, of them two after "
        "kill -9, it is the same.")


@incident("S14", "The provider bills more requests than the gateway has.", (["show", "{request}"], r"{at} "))
def bill_of_two_gateways(stage):
    place = stage.directory / "second"
    place.mkdir()
    second = Gateway(
        place, CONFIGURATION.format(base=stage.upstream.base_url), environment=stage.clock.environment)
    stage.children.append(second.child)

    def sums(box):
        return box.admin("GET", "/api/usage/history").json()["totalRequests"]

    stage.ask(200, 5)
    for _ in range(3):
        answer = second.chat(message(PROMPT, model="fast"), key=SERVICE_KEY)
        require(answer.status == 200, answer.body)
    second.kill()
    second.start()
    stage.children.append(second.child)
    stage.culprit("request", "request.finished", stage.ask, 200, 1)
    found, billed = (sums(stage.box), sums(second)), stage.upstream.total()
    require(found == (6, 3) and sum(found) == billed, (found, billed))
    stage.outcome = (
        f"Each gateway has every request of its own, also after kill -9: {found[0]} and {found[1]} of the {billed} that the provider "
        "counts.")
