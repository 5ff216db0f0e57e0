--- Programs that are asked for context: waited for, or, within `M.async`, without holding the editor.
local M = {}

---@type table<thread, true> coroutines that are ours: another plugin's may call us, too
local ours = setmetatable({}, { __mode = "k" })

--- Runs a program; gives what `vim.system` gives. Raises where it cannot be started.
---@param argv string[]
---@param opts table of vim.system, with a timeout
---@return vim.SystemCompleted
function M.system(argv, opts)
  local co = coroutine.running()
  if not co or not ours[co] then
    return vim.system(argv, opts):wait()
  end
  vim.system(
    argv,
    opts,
    vim.schedule_wrap(function(out)
      M.resume(co, out)
    end)
  )
  return coroutine.yield()
end

---@param co thread
---@param ... any
function M.resume(co, ...)
  local ok, err = coroutine.resume(co, ...)
  if not ok then
    error(debug.traceback(co, err), 0)
  end
end

--- Runs `fn`, in which programs are not waited for, and then `callback` with what it gives: never
--- before this returns, also where no program was run.
---@generic A, B
---@param fn fun(): A, B
---@param callback fun(a: A, b: B)
function M.async(fn, callback)
  local has_returned = false
  local co = coroutine.create(function()
    local a, b = fn()
    if has_returned then
      callback(a, b)
    else
      vim.schedule(function()
        callback(a, b)
      end)
    end
  end)
  ours[co] = true
  M.resume(co)
  has_returned = true
end

return M
