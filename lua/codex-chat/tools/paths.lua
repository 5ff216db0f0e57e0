--- Which of the editor's buffers and files the agent may be told of: text files of the project.
---
--- SECURITY: the agent writes in the project and can make links there. A path counts by where it leads,
--- and a buffer also by where it led when its text was read: else a link to a secret that the user has
--- looked at could be swapped for a file, and the secret's text would pass for the file's.
local M = {}

local api = vim.api

--- What is not told even though it lies in the project: git's own, and what holds secrets.
local hidden = { ".git", ".env", ".envrc", ".ssh", ".netrc", ".npmrc", ".pypirc", ".aws", ".gnupg" }

---@type table<integer, string> where a buffer's path led when it was read, by buffer
local led_to = {}

---@param path string
---@return string
local function resolved(path)
  return vim.uv.fs_realpath(path) or vim.fs.normalize(path, { expand_env = false })
end

--- The path below the root; nil where the agent must not be told of it.
---@param path string absolute, links resolved
---@param root string
---@return string?
local function below(path, root)
  if not vim.startswith(path, root .. "/") then
    return nil
  end
  local relative = path:sub(#root + 2)
  for part in vim.gsplit(relative, "/", { plain = true }) do
    if part == ".." then
      return nil
    end
    for _, name in ipairs(hidden) do
      if part:lower() == name or vim.startswith(part:lower(), name .. ".") then
        return nil
      end
    end
  end
  return relative
end

--- The name of a file as the agent knows it; nil where it must not be told.
---@param path string
---@param root string
---@return string?
function M.name(path, root)
  return path ~= "" and below(resolved(path), root) or nil
end

--- The name of the file whose text a loaded buffer holds; nil for all other buffers.
---@param buf integer
---@param root string
---@return string?
function M.of_buf(buf, root)
  if not api.nvim_buf_is_loaded(buf) or vim.bo[buf].buftype ~= "" then
    return nil
  end
  local path = api.nvim_buf_get_name(buf)
  local then_at = led_to[buf]
  if then_at and not below(then_at, root) then
    return nil
  end
  return M.name(path, root)
end

--- All loaded files of the project, by name.
---@param root string
---@return { buf: integer, name: string }[]
function M.all(root)
  local list = {}
  for _, buf in ipairs(api.nvim_list_bufs()) do
    local name = M.of_buf(buf, root)
    if name then
      list[#list + 1] = { buf = buf, name = name }
    end
  end
  table.sort(list, function(a, b)
    return a.name < b.name
  end)
  return list
end

--- The open file of this path, relative to the root or absolute.
---@param root string
---@param path any
---@return integer? buf
---@return string? err
function M.find(root, path)
  if type(path) ~= "string" or path == "" then
    return nil, "path is needed"
  end
  for _, it in ipairs(M.all(root)) do
    if it.name == path or root .. "/" .. it.name == path or "./" .. it.name == path then
      return it.buf
    end
  end
  return nil, ("%s is not open in the editor; read the file itself"):format(path:sub(1, 300))
end

---@param buf integer
local function note(buf)
  local name = api.nvim_buf_is_loaded(buf) and api.nvim_buf_get_name(buf) or ""
  led_to[buf] = name ~= "" and resolved(name) or nil
end

local watching = false

--- Begins to note where paths lead as buffers are read. Idempotent.
function M.watch()
  if watching then
    return
  end
  watching = true
  vim.tbl_map(note, api.nvim_list_bufs())
  local group = api.nvim_create_augroup("codex-chat.tools", {})
  api.nvim_create_autocmd({ "BufReadPost", "BufNewFile", "BufFilePost", "BufWritePost" }, {
    group = group,
    callback = function(args)
      note(args.buf)
    end,
  })
  api.nvim_create_autocmd("BufWipeout", {
    group = group,
    callback = function(args)
      led_to[args.buf] = nil
    end,
  })
end

return M
