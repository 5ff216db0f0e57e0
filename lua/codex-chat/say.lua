--- What the plugin says to its user: one place for its name in front, and for who shows it.
local M = {}

---@param level integer
---@return fun(text: string)
local function at(level)
  return function(text)
    vim.notify("codex-chat: " .. text, level, { title = "codex-chat" })
  end
end

--- That something was done, or that there is nothing to do.
M.info = at(vim.log.levels.INFO)
--- That something may not be as the user wants it.
M.warn = at(vim.log.levels.WARN)
--- That something was not done, and why.
M.error = at(vim.log.levels.ERROR)

return M
