--- Runs programs: by waiting for them, or, within `M.async`, without blocking the editor; and runs what
--- can wait until the screen is drawn.
local M = {}

--- How long after the present tick the screen is drawn, in ms, if nothing else has to be done.
local drawn_ms = 5

--- Calls `fn` once the screen has been drawn: Neovim shows nothing before all that is scheduled is done.
---@param fn fun()
function M.drawn(fn)
  vim.schedule(function()
    -- A timer counts from the time that the loop knows, which is that before a long tick.
    vim.uv.update_time()
    vim.defer_fn(fn, drawn_ms)
  end)
end

---@type table<thread, true> coroutines made here: another plugin's coroutine may call us as well
local own = setmetatable({}, { __mode = "k" })

--- Runs a program; returns the result of `vim.system`. Raises if it cannot be started.
---@param argv string[]
---@param opts table of vim.system, with a timeout
---@return vim.SystemCompleted
function M.system(argv, opts)
  local co = coroutine.running()
  if not co or not own[co] then
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

--- Runs `fn`, in which programs do not block the editor, and then `callback` with its results: never
--- before this returns, even if no program was run.
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
  own[co] = true
  M.resume(co)
  has_returned = true
end

return M
