--- A source for nvim-cmp: `require("cmp").register_source("codex_chat", require("codex-chat.cmp").new())`.
-- This may be the first module of the plugin to be loaded.
dofile(debug.getinfo(1, "S").source:match("^@(.*)/") .. "/loader.lua")

return require("codex-chat.complete.cmp")
