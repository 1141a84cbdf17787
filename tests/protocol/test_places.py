"""Who is asked, who is left alone, and for how long."""

from retinue.protocol.places import Place, Places


class Watch:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def chosen(places: Places, *, but: list[Place] | None = None) -> Place:
    with places.one("package", but=but or []) as place:
        return place


def test_the_one_with_the_least_to_do_is_asked() -> None:
    places = Places(["http://a", "http://b"])
    with places.one("x") as first, places.one("x") as second, places.one("x") as third:
        assert {first.url, second.url} == {"http://a", "http://b"}
        assert third.under_way == 2


def test_who_failed_is_left_alone_longer_each_time() -> None:
    watch = Watch()
    places = Places(["http://a", "http://b"], clock=watch)
    failing = chosen(places)
    for pause_s in (1.0, 2.0, 4.0):
        places.failed(failing, because="test")
        assert all(chosen(places) is not failing for _ in range(4))
        watch.now += pause_s
        assert failing in {chosen(places) for _ in range(4)}
    places.answered(failing)
    places.failed(failing, because="test")
    watch.now += 1.0
    assert failing in {chosen(places) for _ in range(4)}


def test_many_failures_at_once_are_one() -> None:
    watch, noted = Watch(), []
    places = Places(["http://a", "http://b"], clock=watch, note_failure=lambda: noted.append(1))
    failing = chosen(places)
    for _ in range(5):
        places.failed(failing, because="test")
    watch.now += 1.0
    assert failing in places.reachable()
    assert len(noted) == 5


def test_when_all_are_left_alone_somebody_is_asked_all_the_same() -> None:
    watch = Watch()
    places = Places(["http://a", "http://b"], clock=watch)
    first = chosen(places)
    places.failed(first, because="test")
    watch.now += 0.5
    second = chosen(places)
    places.failed(second, because="test")
    assert chosen(places) is first
    assert chosen(places, but=[first]) is second


def test_who_has_another_model_is_asked_about_the_others_only() -> None:
    watch = Watch()
    places = Places(["http://a", "http://b"], clock=watch)
    stranger = chosen(places)
    places.has_another(stranger, "package")
    assert all(chosen(places) is not stranger for _ in range(4))
    with places.one("other") as one, places.one("other") as another:
        assert stranger in {one, another}
    watch.now += 30.0
    assert stranger in {chosen(places) for _ in range(4)}
