"""/docs: the OpenAPI document as a page, its script and style from this machine."""

from __future__ import annotations

from importlib import resources

from fastapi import APIRouter, Response
from fastapi.openapi.docs import get_swagger_ui_html

_ASSETS = {
    "swagger-ui-bundle.js": "application/javascript",
    "swagger-ui.css": "text/css",
    "favicon-32x32.png": "image/png",
}


def routes(title: str) -> APIRouter:
    router = APIRouter(prefix="/docs", include_in_schema=False)

    @router.get("")
    async def page() -> Response:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title=title,
            swagger_js_url="/docs/swagger-ui-bundle.js",
            swagger_css_url="/docs/swagger-ui.css",
            swagger_favicon_url="/docs/favicon-32x32.png",
        )

    def add(name: str, media_type: str) -> None:
        @router.get(f"/{name}", name=name)
        async def asset() -> Response:
            content = resources.files("fastapi_swagger").joinpath("resources", name).read_bytes()
            return Response(content, media_type=media_type, headers={"Cache-Control": "max-age=86400"})

    for name, media_type in _ASSETS.items():
        add(name, media_type)
    return router
