--- A source for blink.cmp: `sources.providers.codex_chat = { name = "Codex", module = "codex-chat.blink" }`.
-- This may be the first module of the plugin to be loaded.
dofile(debug.getinfo(1, "S").source:match("^@(.*)/") .. "/loader.lua")

return require("codex-chat.complete.blink")
