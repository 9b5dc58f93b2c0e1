"""Killed, frozen, cut off, forked, threaded: nothing is lost."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time

import pytest

from ticketmail.domain.errors import BrokerError
from ticketmail.domain.ports.queueing import Broker, BrokerOptions
from ticketmail.testing.broker_contract.kit import (
    PATIENCE_S,
    QUEUE,
    BrokerServer,
    all_of,
    consuming,
    eventually,
    job,
    play,
    running,
)


class FailingContract:
    """See the package."""

    async def test_a_killed_consumer_loses_nothing(self, broker: Broker, server: BrokerServer, options: BrokerOptions) -> None:
        jobs = [job() for _ in range(10)]
        broker.publish(QUEUE, jobs)
        with running(server, options) as consumer:
            for _ in range(5):
                assert consumer.stdout is not None
                assert consumer.stdout.readline()
            consumer.send_signal(signal.SIGKILL)

        async with consuming(broker) as receiver:
            got = await all_of(receiver, 10, ack=True)

        assert {one.job.job_id for one in got} == {one.job_id for one in jobs}

    async def test_a_frozen_consumer_loses_nothing(self, broker: Broker, server: BrokerServer, options: BrokerOptions) -> None:
        """It stands still with jobs that it had been sent, and is then gone."""
        jobs = [job() for _ in range(10)]
        with running(server, options) as consumer:
            await asyncio.sleep(1.0)
            consumer.send_signal(signal.SIGSTOP)
            broker.publish(QUEUE, jobs)
            await asyncio.sleep(1.0)
            consumer.send_signal(signal.SIGKILL)

        async with consuming(broker) as receiver:
            got = await all_of(receiver, 10, ack=True)

        assert {one.job.job_id for one in got} == {one.job_id for one in jobs}

    async def test_a_publisher_cut_off_says_so_in_time_and_goes_on_later(self, broker: Broker, server: BrokerServer) -> None:
        broker.publish(QUEUE, [job("before")])
        play(server.cut)
        began_s = time.monotonic()
        try:
            with pytest.raises(BrokerError):
                broker.publish(QUEUE, [job("cut")])
        finally:
            server.heal()
        assert time.monotonic() - began_s < 3.0 + 5.0 + 7.0

        broker.publish(QUEUE, [job("after")])
        async with consuming(broker) as receiver:
            ids = {one.job.job_id for one in await all_of(receiver, 2)}
        assert {"before", "after"} <= ids

    def test_a_connection_that_died_while_idle_is_replaced(self, broker: Broker, server: BrokerServer) -> None:
        broker.publish(QUEUE, [job()])
        play(server.cut)
        server.heal()

        broker.publish(QUEUE, [job()])

        assert eventually(lambda: broker.depth(QUEUE) in (2, 3, None))

    async def test_a_consumer_cut_off_comes_back_by_itself(self, broker: Broker, server: BrokerServer) -> None:
        async with consuming(broker) as receiver:
            broker.publish(QUEUE, [job("before")])
            await receiver.ack(await all_of(receiver, 1))
            play(server.cut)
            await asyncio.sleep(0.3)
            server.heal()
            broker.publish(QUEUE, [job("after")])

            got = await all_of(receiver, 1)

        assert "after" in {one.job.job_id for one in got}

    async def test_an_acknowledgement_after_a_cut_harms_nobody(self, broker: Broker, server: BrokerServer) -> None:
        """Its job comes again; no other job is acknowledged in its place."""
        broker.publish(QUEUE, [job() for _ in range(4)])
        async with consuming(broker) as receiver:
            old = await all_of(receiver, 4)
            play(server.cut)
            await asyncio.sleep(0.3)
            server.heal()
            again = await all_of(receiver, 4)
            await receiver.ack(old)

        async with consuming(broker) as receiver:
            left = await all_of(receiver, 4)

        assert {one.job.job_id for one in left} == {one.job.job_id for one in again}

    async def test_a_broker_that_is_away_is_reported_to_the_consumer(self, broker: Broker, server: BrokerServer) -> None:
        play(server.cut)
        try:
            async with consuming(broker) as receiver:
                with pytest.raises(BrokerError):
                    await all_of(receiver, 1, patient=False)
        finally:
            server.heal()

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
    @pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
    def test_a_forked_child_publishes_too(self, broker: Broker) -> None:
        if not broker.capabilities.between_processes:
            pytest.skip("this broker lives in one process, and says so")
        broker.publish(QUEUE, [job()])
        child = os.fork()
        if child == 0:  # it says by its exit code how it went
            code = 1
            try:
                broker.publish(QUEUE, [job() for _ in range(10)])
                code = 0
            finally:
                os._exit(code)
        broker.publish(QUEUE, [job() for _ in range(10)])

        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        broker.publish(QUEUE, [job()])
        assert eventually(lambda: broker.depth(QUEUE) in (22, None))

    def test_eight_threads_publish_side_by_side(self, broker: Broker) -> None:
        errors: list[BaseException] = []

        def publish() -> None:
            try:
                for _ in range(25):
                    broker.publish(QUEUE, [job(), job()])
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=publish) for _ in range(8)]
        for one in threads:
            one.start()
        for one in threads:
            one.join(PATIENCE_S * 2)

        assert errors == []
        assert eventually(lambda: broker.depth(QUEUE) in (400, None))

    def test_closing_twice_is_closing_once_and_the_next_use_opens_again(self, broker: Broker) -> None:
        broker.publish(QUEUE, [job()])
        broker.close()
        broker.close()

        broker.publish(QUEUE, [job()])

        assert eventually(lambda: broker.depth(QUEUE) in (2, None))
