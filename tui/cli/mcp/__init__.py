"""The MCP server: tools with which agents start runs, follow them and read their results."""
