"""Health and metrics over HTTP, for load balancers, orchestrators and Prometheus."""

from __future__ import annotations

from ticketmail.app.web.server import Health, HttpServer, parse_bind, serve
from ticketmail.app.web.serving import serve_worker, worker_health

__all__ = ["Health", "HttpServer", "parse_bind", "serve", "serve_worker", "worker_health"]
