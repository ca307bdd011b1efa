"""A network's truth is what happens on average; active followers keep users; its tables are like a company's."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from nbdataops.ltv import LtvInputError
from nbdataops.ltv.simulate import Earnings, Following, Retention, SocialNetwork, social_network
from nbdataops.ltv.simulate.follower_graph import next_week
from nbdataops.ltv.simulate.network_earnings import draw_habits, expected_weekly
from nbdataops.ltv.simulate.network_truth import expected_earnings

AS_OF = date(2023, 7, 2)  # 26 weeks
ALIKE = Retention(shape=1e8, scale=1e9, followers=0.6)
"""Everybody leaves at the rate of a tenth a week without active followers."""


def z(error: pd.Series) -> float:
    """How many standard errors the mean is away from zero."""
    return float(abs(error.mean()) / (error.std() / np.sqrt(len(error))))


def week_of(dates: pd.Series, network: SocialNetwork) -> np.ndarray:
    return ((dates - pd.Timestamp(network.start)).dt.days // 7).to_numpy()


def user_weeks(network: SocialNetwork) -> pd.DataFrame:
    """From the tables alone: every user and week at whose beginning it was there, its active followers, its fate."""
    users = network.users.set_index("user_id")
    joined = week_of(users.joined, network)
    left = week_of(users.left.fillna(pd.Timestamp("2100-01-01")), network)
    follower, followee = (network.follows[name].to_numpy() - 1 for name in ("follower", "followee"))
    followed = week_of(network.follows["date"], network)
    rows = []
    for week in range(1, week_of(pd.Series([network.end]).astype("datetime64[us]"), network)[0] + 1):
        counts = (followed < week) & (left[follower] >= week)
        active = np.bincount(followee[counts], minlength=len(users))
        there = np.flatnonzero((joined < week) & (left >= week))
        rows.append(
            pd.DataFrame(
                {"user": there, "week": week, "followers": active[there], "leaves": left[there] == week}
            )
        )
    return pd.concat(rows, ignore_index=True)


@pytest.fixture(scope="module")
def network() -> SocialNetwork:
    return social_network(users=3000, weeks=52, seed=1)


def test_what_happens_is_the_truth_on_average() -> None:
    earnings = Earnings(subscribes=0.03, per_session=0.1)
    totals, parts = [], []
    for seed in range(8):
        world = social_network(users=1200, weeks=39, earnings=earnings, seed=seed)
        truth = world.truth(AS_OF, 13, continuations=8)
        paid = world.payments[world.payments["date"] > pd.Timestamp(AS_OF)]
        by_kind = paid.pivot_table(index="user_id", columns="kind", values="amount", aggfunc="sum")
        by_kind = by_kind.reindex(truth.user_id, fill_value=0).fillna(0).reset_index(drop=True)
        np.testing.assert_allclose(by_kind.sum(axis=1), truth.realised_value)
        parts.append(truth.join(by_kind.add_suffix("_realised")))
        totals.append(truth.realised_value.sum() - truth.value.sum())
    users = pd.concat(parts)
    # users of one network are not independent; networks are
    assert z(pd.Series(totals)) < 4
    for group in (users.active, users.active_followers == 0, users.active_followers > 5, users.value > 5):
        for kind in ("subscription", "advertising"):
            assert z((users[f"{kind}_realised"] - users[kind])[group & users.active]) < 3.7
    gone = users[~users.active]
    assert len(gone) > 100
    assert (gone[["value", "realised_value", "standard_error"]] == 0).all(axis=None)


def brute_force(network: SocialNetwork, weekly: np.ndarray, runs: int) -> np.ndarray:
    """The rules once more, user by user in plain Python: what each user brings in, in every run."""
    rules, n = network.rules, weekly.shape[1]
    following, retention = rules.following, rules.retention
    rng = np.random.default_rng(99)
    answer = np.zeros((runs, n))
    for run in range(runs):
        community, own = network.graph.community.tolist(), network.graph.own.tolist()
        active = network.graph.active.tolist()
        follows = set(zip(network.graph.follower.tolist(), network.graph.followee.tolist(), strict=True))
        for week in range(len(weekly)):
            fans = Counter(j for i, j in follows if active[i])
            stays = [np.exp(-rate * (1 + fans[i]) ** -retention.followers) for i, rate in enumerate(own)]
            before = len(own)
            active = [a and rng.random() < s for a, s in zip(active, stays, strict=True)]
            answer[run] += weekly[week] * active[:n]
            for _ in range(rules.users_after(network.graph.week + week + 1) - before):
                community.append(int(rng.integers(following.communities)))
                own.append(rng.gamma(retention.shape) / retention.scale)
                active.append(True)
            popularity = Counter(j for _, j in follows)
            new: set[tuple[int, int]] = set()
            for i in range(len(own)):
                mean = following.at_joining if i >= before else following.weekly
                count = rng.poisson(mean) if active[i] else 0
                if not count:
                    continue
                weights = np.array(
                    [
                        active[j]
                        * (j != i)
                        * (popularity[j] + 1)
                        * (1 if community[i] == community[j] else 1 - following.homophily)
                        for j in range(len(own))
                    ],
                    dtype=float,
                )
                if weights.any():
                    for j in rng.choice(len(own), size=count, p=weights / weights.sum()):
                        new.add((i, int(j)))
                        if rng.random() < following.follow_back:
                            new.add((int(j), i))
            follows |= new
    return answer


def test_the_truth_is_that_of_the_rules_played_out_user_by_user() -> None:
    following = Following(at_joining=2.0, weekly=0.4, follow_back=0.6, communities=2)
    strong = Retention(shape=2.0, scale=6.0, followers=1.5)
    network = social_network(users=45, weeks=20, following=following, retention=strong, seed=3)
    weekly = np.ones((8, 45)) + np.arange(8)[:, None] / 4
    mean, error = expected_earnings(network.graph, network.rules, weekly[None], 600, np.random.default_rng(1))
    brute = brute_force(network, weekly, 120)
    active = network.graph.active
    assert active.sum() > 12
    # who hardly ever leaves may never have done so in the runs: the largest variance that the mean allows, then
    most = weekly.sum(axis=0)
    largest = np.sqrt((most - mean[0]) * mean[0])
    spread = np.where(mean[0] < 0.95 * most, brute.std(axis=0, ddof=1), largest)
    off = (mean[0] - brute.mean(axis=0))[active] / np.hypot(error, spread / np.sqrt(len(brute)))[active]
    assert (mean[0] < 0.95 * most)[active].sum() > 10
    assert np.abs(off).max() < 4
    assert (off**2).mean() < 2
    total = brute.sum(axis=1)
    assert abs(mean.sum() - total.mean()) < 4 * np.hypot(total.std() / np.sqrt(len(total)), error.sum())


def test_taking_out_chance_leaves_the_mean_and_says_how_little_is_left(network: SocialNetwork) -> None:
    weekly = np.ones((1, 12, len(network.graph.active)))
    rng = np.random.default_rng(5)
    plain = np.zeros((40, weekly.shape[2]))
    for run in range(40):
        at = network.graph
        for week in range(12):
            at, _ = next_week(at, network.rules, rng)
            plain[run] += weekly[0, week] * at.active[: weekly.shape[2]]
    ours, error = expected_earnings(network.graph, network.rules, weekly, 40, rng)
    by_chance = plain.std(axis=0, ddof=1) / np.sqrt(40)
    active = network.graph.active
    assert np.mean(error[active] ** 2) < np.mean(by_chance[active] ** 2) / 50
    for group in (active, active & (network.graph.active_followers() > 5)):
        total = plain[:, group].sum(axis=1)
        assert abs(total.mean() - ours[0, group].sum()) < 3.5 * total.std(ddof=1) / np.sqrt(40)
    # the stated errors are those of another 40 continuations
    other, other_error = expected_earnings(network.graph, network.rules, weekly, 40, np.random.default_rng(6))
    some = error > 1e-6
    z_squared = ((other[0] - ours[0])[some] / np.hypot(error, other_error)[some]) ** 2
    assert 0.7 < z_squared.mean() < 1.4


def test_without_an_effect_of_followers_the_truth_is_exact() -> None:
    network = social_network(
        users=1500, weeks=39, retention=Retention(followers=0.0), earnings=Earnings(subscribes=0.0)
    )
    truth = network.truth(AS_OF, 13, continuations=2)
    users = network.users.iloc[: len(truth)]
    weeks = np.exp(-np.outer(users.leaving, np.arange(1, 14))).sum(axis=1)
    exact = np.where(truth.active, users.sessions * users.per_session * weeks, 0.0)
    np.testing.assert_allclose(truth.value, exact, rtol=1e-12)
    assert (truth.standard_error <= 1e-12 * truth.value).all()
    assert (truth.subscription == 0).all()
    # the share of users who are there is the Pareto model's
    age = 26 - week_of(users.joined, network)
    share = (1 + (age - 1) / 15.0) ** -1.0  # the week of joining is safe
    assert z(truth.active - share) < 3.5


@pytest.mark.parametrize("followers", [0.0, 0.6])
def test_active_followers_keep_users_as_much_as_asked(followers: float) -> None:
    rule = Retention(shape=1e8, scale=1e9, followers=followers)
    rows = user_weeks(social_network(users=5000, weeks=40, retention=rule, seed=2))
    expected = 1 - np.exp(-0.1 * (1 + rows.followers) ** -followers)
    observed = []
    for low, high in ((0, 0), (1, 1), (2, 3), (4, 7), (8, 15), (16, 10_000)):
        group = rows[rows.followers.between(low, high)]
        assert len(group) > 900
        assert z(group.leaves - expected[group.index]) < 3.7
        observed.append(group.leaves.mean())
    falls = np.diff(observed) < 0
    assert falls.all() if followers else not falls.all()
    slope = np.polyfit(np.log1p(rows.followers), rows.leaves, 1)[0]
    error = rows.leaves.std() / (np.log1p(rows.followers).std() * np.sqrt(len(rows)))
    assert slope < -20 * error if followers else abs(slope) < 3.5 * error


def test_who_has_more_active_followers_is_worth_more() -> None:
    same = Earnings(sessions_shape=1e9, per_session_spread=0.0, subscribes=0.0)
    for followers in (0.0, 0.6):
        rule = Retention(shape=1e8, scale=1e9, followers=followers)
        network = social_network(users=2000, weeks=30, retention=rule, earnings=same, seed=4)
        truth = network.truth(AS_OF, 13, continuations=8)
        there = truth[truth.active]
        values = there.groupby("active_followers").value.mean().loc[:6]
        if followers:
            assert (np.diff(values) > 0.01 * values.iloc[0]).all()
        else:
            assert there.value.std() < 1e-3 * there.value.mean()


@pytest.mark.parametrize(("subscribes", "cancels"), [(0.1, 0.3), (0.6, 0.5)])
def test_what_users_bring_in_is_expected_exactly_while_they_are_there(
    subscribes: float, cancels: float
) -> None:
    earnings = Earnings(sessions=3.0, subscribes=subscribes, cancels=cancels, per_session=0.5)
    forever = Retention(shape=1e6, scale=1e9, followers=0.0)  # next to nobody leaves
    network = social_network(users=6000, weeks=39, retention=forever, earnings=earnings, seed=5)
    truth = network.truth(AS_OF, 13, continuations=2)
    payments = network.payments[network.payments["date"] > pd.Timestamp(AS_OF)]
    before = network.subscriptions.weeks_since_payment(25, len(truth))
    for kind in ("subscription", "advertising"):
        paid = payments[payments.kind == kind].groupby("user_id").amount.sum()
        paid = paid.reindex(truth.user_id, fill_value=0).reset_index(drop=True)
        assert z(paid - truth[kind]) < 3.5
        for state in range(5):
            assert (before == state).sum() > 40
            assert z((paid - truth[kind])[before == state]) < 3.7


def test_a_subscription_is_a_chain_of_weeks() -> None:
    habits = draw_habits(
        Earnings(subscribes=1.0, cancels=0.0, per_session_spread=0.0), 5, np.random.default_rng(0)
    )
    paid, free = expected_weekly(Earnings(price=2.0), habits, np.arange(5), 6)
    # paid 0 to 3 weeks ago, or never: the next payment is 4 to 1 weeks ahead, or at once
    assert paid.T.tolist() == [
        [0, 0, 0, 2, 0, 0],
        [0, 0, 2, 0, 0, 0],
        [0, 2, 0, 0, 0, 2],
        [2, 0, 0, 0, 2, 0],
        [2, 0, 0, 0, 2, 0],
    ]
    assert (free == 0).all()


def test_the_popular_get_more_followers_and_like_follows_like() -> None:
    following = Following(at_joining=5.0, follow_back=0.0, homophily=0.8, communities=4)
    keeps = Retention(shape=1e6, scale=1e9, followers=0.0)
    network = social_network(users=4000, weeks=40, following=following, retention=keeps, seed=6)
    follows = network.follows
    community = network.users.set_index("user_id").community
    same = community[follows.follower].to_numpy() == community[follows.followee].to_numpy()
    assert same.mean() == pytest.approx(1 / (1 + 3 * 0.2), abs=0.02)
    # follows of the last ten weeks go to users in proportion to the followers that they had, and one
    week = week_of(follows["date"], network)
    for begin in (30, 34, 38):
        old = week < begin
        had = follows[old].followee.value_counts().reindex(community.index, fill_value=0)
        there = network.rules.users_after(begin)
        had = had.iloc[:there]
        got = follows[week == begin].followee.value_counts().reindex(had.index, fill_value=0)
        share = (had + 1) / (had + 1).sum()
        for group in (had == 0, had.between(1, 4), had.between(5, 15), had > 15):
            expected = share[group].sum() * got.sum()
            assert abs(got[group].sum() - expected) < 4 * np.sqrt(expected)


def test_some_follow_back_at_once() -> None:
    following = Following(weekly=0.0, at_joining=3.0, follow_back=0.4, homophily=0.0)
    network = social_network(users=4000, weeks=20, following=following, seed=7)
    pairs = network.follows[["follower", "followee"]]
    seen = set(map(tuple, pairs.to_numpy().tolist()))
    mutual = np.array([(b, a) in seen for a, b in pairs.to_numpy().tolist()])
    # of n follows started, 0.4 n are answered: 1.4 n rows, 0.8 n of them in mutual pairs
    assert mutual.mean() == pytest.approx(0.8 / 1.4, abs=0.02)
    assert len(pairs) / 4000 == pytest.approx(3 * 1.4, rel=0.05)


def test_the_tables_fit_together(network: SocialNetwork) -> None:
    users, follows = network.users.set_index("user_id"), network.follows
    activity, payments = network.activity, network.payments
    assert len(users) == 3000
    assert users.joined.is_monotonic_increasing
    assert not follows.duplicated(["follower", "followee"]).any()
    assert (follows.follower != follows.followee).all()
    for who in ("follower", "followee"):
        assert (follows["date"].to_numpy() >= users.joined[follows[who]].to_numpy()).all()
    left = users.left.fillna(pd.Timestamp("2100-01-01"))
    assert (left[follows.follower].to_numpy() > follows["date"].to_numpy()).all()
    assert (left[follows.followee].to_numpy() > follows["date"].to_numpy()).all()
    assert 0.2 < users.left.notna().mean() < 0.8
    assert (left[activity.user_id].to_numpy() > activity.week.to_numpy()).all()
    assert not activity.duplicated(["user_id", "week"]).any()
    assert (activity.sessions > 0).all()
    assert activity.posts.sum() / activity.sessions.sum() == pytest.approx(0.2, rel=0.03)
    assert (payments["date"].to_numpy() >= users.joined[payments.user_id].to_numpy()).all()
    assert (left[payments.user_id].to_numpy() > payments["date"].to_numpy()).all()
    assert payments["date"].max() <= pd.Timestamp(network.end)
    for table, column in ((follows, "date"), (activity, "week"), (payments, "date")):
        assert table[column].is_monotonic_increasing


def test_subscriptions_are_paid_every_fourth_week_and_free_of_advertising() -> None:
    earnings = Earnings(subscribes=0.1, price=5.0)
    network = social_network(users=800, weeks=40, earnings=earnings, seed=8)
    payments, activity = network.payments, network.activity
    subscriptions = payments[payments.kind == "subscription"]
    assert (subscriptions.amount == 5.0).all()
    gaps = subscriptions.groupby("user_id")["date"].diff().dropna().dt.days
    assert (gaps >= 28).all()  # a new one begins no earlier than the week after the payment not made
    assert (gaps == 28).mean() > 0.5
    covered = {
        (user, week + ahead)
        for user, week in zip(subscriptions.user_id, week_of(subscriptions["date"], network), strict=True)
        for ahead in range(4)
    }
    advertising = payments[payments.kind == "advertising"]
    shown = set(zip(advertising.user_id, week_of(advertising["date"], network), strict=True))
    had = set(zip(activity.user_id, week_of(activity.week, network), strict=True))
    assert len(covered & had) > 1000
    assert shown == had - covered
    users = network.users.set_index("user_id")
    sessions = activity.assign(at=week_of(activity.week, network)).set_index(["user_id", "at"]).sessions
    expected = [sessions[key] * users.per_session[key[0]] for key in sorted(shown)]
    order = np.lexsort([week_of(advertising["date"], network), advertising.user_id])
    np.testing.assert_allclose(advertising.amount.to_numpy()[order], expected)


def test_what_is_known_at_a_date_is_what_had_happened_by_then(network: SocialNetwork) -> None:
    known, truth = network.known(AS_OF), network.truth(AS_OF, 1, continuations=2)
    assert known.users.user_id.tolist() == truth.user_id.tolist()
    assert known.users.columns.tolist() == ["user_id", "joined", "community"]
    end = pd.Timestamp(AS_OF)
    pd.testing.assert_frame_equal(known.follows, network.follows[network.follows["date"] <= end])
    pd.testing.assert_frame_equal(known.payments, network.payments[network.payments["date"] <= end])
    assert known.activity.week.max() == end - timedelta(days=6)
    left = network.users.left.iloc[: len(truth)]
    assert (truth.active == ~(left <= end)).all()
    there = set(truth.user_id[truth.active])
    count = Counter(b for a, b in known.follows[["follower", "followee"]].to_numpy().tolist() if a in there)
    assert truth.active_followers.tolist() == [count[user] for user in truth.user_id]


def test_more_time_brings_in_more_and_none_nothing(network: SocialNetwork) -> None:
    none, short, long = (network.truth(AS_OF, weeks, continuations=2) for weeks in (0, 4, 13))
    assert (none.value == 0).all()
    assert (none.realised_value == 0).all()
    assert (long.value >= short.value).all()
    beyond = network.truth(network.end, timedelta(weeks=8), continuations=2)
    assert beyond.realised_value.isna().all()
    assert (beyond.value[beyond.active] > 0).all()


def test_the_same_seed_gives_the_same_network_and_truth(network: SocialNetwork) -> None:
    again, other = (social_network(users=3000, weeks=52, seed=seed) for seed in (1, 2))
    for name in ("users", "follows", "activity", "payments"):
        pd.testing.assert_frame_equal(getattr(network, name), getattr(again, name))
        assert not getattr(network, name).equals(getattr(other, name))
    one, same, differs = (network.truth(AS_OF, 4, continuations=4, seed=seed) for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(one, same)
    assert not one.value.equals(differs.value)


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda: social_network(users=0, weeks=5), "users is 0"),
        (lambda: social_network(users=5, weeks=2.5), "weeks is 2.5"),
        (lambda: social_network(users=5, weeks=5, start="2023-01-01"), "not a date"),
        (lambda: Following(weekly=-1.0), "weekly is -1"),
        (lambda: Following(homophily=1.5), "homophily is 1.5"),
        (lambda: Following(communities=2.5), "communities is 2.5"),
        (lambda: Following(communities=0), "communities is 0"),
        (lambda: Retention(followers=-0.5), "followers is -0.5"),
        (lambda: Retention(scale=float("nan")), "scale is nan"),
        (lambda: Earnings(price="5"), "price is '5'"),
        (lambda: Earnings(cancels=2.0), "cancels is 2"),
    ],
)
def test_what_cannot_be_meant_is_refused(make, what: str) -> None:
    with pytest.raises(LtvInputError, match=what) as caught:
        make()
    assert caught.value.todo


def test_dates_and_horizons_go_by_the_weeks_of_the_network(network: SocialNetwork) -> None:
    with pytest.raises(LtvInputError, match="middle of a week") as caught:
        network.truth(date(2023, 7, 4), 4)
    assert "2023-07-02 or 2023-07-09" in caught.value.todo
    for outside in (date(2022, 12, 31), date(2024, 1, 7)):
        with pytest.raises(LtvInputError, match="not within the tables"):
            network.known(outside)
    for horizon in (1.5, np.inf, timedelta(days=10)):
        with pytest.raises(LtvInputError, match="whole number"):
            network.truth(AS_OF, horizon)
    with pytest.raises(LtvInputError, match="continuations is 1"):
        network.truth(AS_OF, 4, continuations=1)
    small = social_network(users=2, weeks=10)  # nobody joins in the first weeks
    assert len(small.truth(small.end, 2)) == 2
    with pytest.raises(LtvInputError, match="not within"):
        small.truth(date(2023, 1, 8), 1)
