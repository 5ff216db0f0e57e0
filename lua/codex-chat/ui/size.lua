--- Keeps the chat's width, or its height if it is above or below the other windows.
---
--- 'winfixwidth' does most of it. The rest is corrected here, once for each change and never against
--- the user: after the screen was resized, after the chat had the whole screen, and when 'winwidth'
--- takes the chat's columns. Any other change of its size is the user's, and is kept.
local M = {}

local registry = require("codex-chat.registry")

local api = vim.api

---@alias codex-chat.Axis "width"|"height"

---@class (exact) codex-chat.Extent how much of the screen a chat has
---@field cells? integer
---@field share? number a part of the screen instead
---@field floor? integer the least cells, however small the share is

---@class (exact) codex-chat.SizeState of one window
---@field wanted table<codex-chat.Axis, codex-chat.Extent>
---@field axis? codex-chat.Axis nil while the window has the whole screen
---@field cells? integer
---@field screen? integer
---@field layout string of its tabpage
---@field is_fixed boolean whether the plugin has set 'winfixwidth' or 'winfixheight'
---@field is_extreme? boolean whether it was shrunk for another window, or shrinks all others

--- A smaller window was shrunk for another one. Nobody works in it, so that size is not kept.
local least = { width = 10, height = 3 }

---@type table<integer, codex-chat.SizeState> by window
local states = {}
---@type table<codex-chat.Axis, codex-chat.Extent> sizes that the user gave a chat by hand
local by_hand = {}
--- The current window before the present event.
local was_current = 0

local get = { width = api.nvim_win_get_width, height = api.nvim_win_get_height }
local set = { width = api.nvim_win_set_width, height = api.nvim_win_set_height }

---@param axis codex-chat.Axis
---@return integer
local function screen_of(axis)
  return axis == "width" and vim.o.columns or vim.o.lines
end

--- The configured size.
---@param axis codex-chat.Axis
---@return codex-chat.Extent
local function configured(axis)
  local config = require("codex-chat.config").get().window
  return {
    share = config.size < 1 and config.size or nil,
    cells = config.size >= 1 and math.floor(config.size) or nil,
    floor = axis == "width" and config.min_width or 1,
  }
end

---@param extent codex-chat.Extent
---@param axis codex-chat.Axis
---@return integer
local function asked_for(extent, axis)
  local cells = extent.cells or math.floor(screen_of(axis) * extent.share + 1e-6)
  return math.max(cells, extent.floor or 1, 1)
end

--- An extent in cells of the present screen. Other windows keep some, or half of a very small screen.
---@param extent codex-chat.Extent
---@param axis codex-chat.Axis
---@return integer
local function cells_of(extent, axis)
  local rest = screen_of(axis) - 1
  return math.min(asked_for(extent, axis), math.max(rest - least[axis], math.floor(rest / 2), 1))
end

--- The size of a chat that opens. It may leave next to nothing for other windows.
---@param axis codex-chat.Axis
---@return integer
function M.opening(axis)
  if by_hand[axis] then
    return cells_of(by_hand[axis], axis)
  end
  local others = axis == "width" and vim.o.winminwidth or vim.o.winminheight
  return math.min(
    asked_for(configured(axis), axis),
    math.max(1, screen_of(axis) - math.max(others, 1) - 1)
  )
end

--- The axis on which other windows compete with it; nil if it has the whole screen or floats.
---@param win integer
---@return codex-chat.Axis?
local function axis_of(win)
  if
    registry.floats(win)
    or vim.fn.winlayout(api.nvim_tabpage_get_number(api.nvim_win_get_tabpage(win)))[1] == "leaf"
  then
    return nil
  end
  return get.width(win) < vim.o.columns and "width" or "height"
end

---@param axis codex-chat.Axis
---@param cells integer
---@return boolean
local function is_extreme(axis, cells)
  return cells < least[axis] or screen_of(axis) - 1 - cells < least[axis]
end

---@param axis codex-chat.Axis
---@param cells integer
---@return codex-chat.Extent
local function extent_by_hand(axis, cells)
  local config = require("codex-chat.config").get().window
  return {
    share = cells / screen_of(axis),
    floor = axis == "width" and math.min(config.min_width, cells) or least.height,
  }
end

---@class (exact) codex-chat.Layout sizes of a tabpage's windows, in the order of its layout
---@field wins integer[]
---@field sizes integer[][]

---@param without integer
---@return codex-chat.Layout
function M.others(without)
  local wins = vim.tbl_filter(function(win)
    return win ~= without and not registry.floats(win)
  end, api.nvim_tabpage_list_wins(0))
  return {
    wins = wins,
    sizes = vim.tbl_map(function(win)
      return { get.width(win), get.height(win) }
    end, wins),
  }
end

--- Gives windows the sizes of `layout`, as far as they fit.
---@param layout codex-chat.Layout
function M.put(layout)
  -- Twice, as winrestcmd() does: the first window can be in the way of the next.
  for _ = 1, 2 do
    for i, win in ipairs(layout.wins) do
      if api.nvim_win_is_valid(win) then
        set.width(win, layout.sizes[i][1])
        set.height(win, layout.sizes[i][2])
      end
    end
  end
end

--- Sets or resets the options that keep Neovim from resizing the window.
---@param win integer
---@param axis codex-chat.Axis?
local function fix(win, axis)
  -- Both are local to the window: Neovim copies them to no other window or buffer.
  vim.wo[win][0].winfixwidth = axis == "width"
  vim.wo[win][0].winfixheight = axis == "height"
end

--- Keeps the size of a window that shows a chat.
---@param win integer
---@param wanted? codex-chat.Extent the size that it was opened with; by default its present size
---@return codex-chat.SizeState
local function hold(win, wanted)
  local axis = axis_of(win)
  local state = states[win]
  if not state then
    state = { wanted = {}, layout = "", is_fixed = false }
    states[win] = state
  end
  if axis then
    local cells = get[axis](win)
    state.is_extreme = not wanted and is_extreme(axis, cells) or nil
    if wanted then
      state.wanted[axis] = wanted
    elseif not state.wanted[axis] and not state.is_extreme then
      state.wanted[axis] = extent_by_hand(axis, cells)
    end
    state.cells, state.screen = cells, screen_of(axis)
  end
  state.axis = axis
  state.layout = vim.inspect(vim.fn.winlayout())
  state.is_fixed = not state.is_extreme
  fix(win, not state.is_extreme and axis or nil)
  return state
end

--- Whether 'winwidth' or 'winheight' has just resized the entered window.
---@param axis codex-chat.Axis
---@return boolean
local function is_by_entering(axis)
  local current = api.nvim_get_current_win()
  return current ~= was_current
    and get[axis](current) <= (axis == "width" and vim.o.winwidth or vim.o.winheight)
end

--- Makes the windows beside it equally wide. Without enough room Neovim would take the chat's columns.
---@param win integer
local function even_out(win)
  local rest = vim.o.columns - get.width(win) - 1
  if #M.others(win).wins > 1 and rest >= 2 * least.width then
    vim.cmd("horizontal wincmd =")
  end
end

--- Evens out neighbours with next to no columns: Neovim takes all columns from one of them.
---@param win integer
local function relieve(win)
  for _, other in ipairs(M.others(win).wins) do
    if not vim.wo[other].winfixwidth and get.width(other) < least.width then
      even_out(win)
      return
    end
  end
end

--- Gives the window the size that it should have.
---@param win integer
---@param state codex-chat.SizeState
---@param axis codex-chat.Axis
---@param even boolean whether other windows may be evened out
local function restore(win, state, axis, even)
  set[axis](win, cells_of(state.wanted[axis] or by_hand[axis] or configured(axis), axis))
  hold(win)
  if even and axis == "width" then
    relieve(win)
    hold(win)
  end
end

--- Corrects or adopts the present size of a window.
---@param win integer
---@param state codex-chat.SizeState
---@param layout string
---@param is_only boolean whether it is the tabpage's only window of its chat
local function check(win, state, layout, is_only)
  local axis = axis_of(win)
  local cells = axis and get[axis](win)
  local is_same = state.axis == axis and state.screen == (axis and screen_of(axis))
  if not axis or (is_same and state.cells == cells) then
    state.axis, state.layout = axis, layout
    return
  end
  ---@cast cells integer
  local was_extreme = state.is_extreme
  if state.is_fixed and not vim.wo[win]["winfix" .. axis] and state.axis == axis then
    -- The user wants the window to be resized with the others.
    state.axis, state.cells, state.screen, state.layout = axis, cells, screen_of(axis), layout
  elseif not is_same or state.layout ~= layout then
    if is_only then
      restore(win, state, axis, true)
    else
      hold(win)
    end
  elseif is_by_entering(axis) then
    restore(win, state, axis, false)
  elseif was_extreme and not is_extreme(axis, cells) and win ~= api.nvim_get_current_win() then
    restore(win, state, axis, true)
  else
    if not is_extreme(axis, cells) then
      by_hand[axis] = extent_by_hand(axis, cells)
      state.wanted[axis] = by_hand[axis]
    end
    hold(win)
  end
end

--- Does that for the chats of the current tabpage.
local function look()
  local layout
  for _, chat in ipairs(registry.all()) do
    local wins = vim.tbl_filter(function(win)
      return not registry.floats(win)
    end, registry.wins(chat.buf, 0))
    for _, win in ipairs(wins) do
      layout = layout or vim.inspect(vim.fn.winlayout())
      if states[win] then
        check(win, states[win], layout, #wins == 1)
      else
        hold(win)
      end
    end
  end
end

--- Stops keeping the size of a window.
---@param win integer
function M.release(win)
  local state = states[win]
  states[win] = nil
  if state and state.is_fixed and api.nvim_win_is_valid(win) then
    fix(win, nil)
  end
end

--- Sets the size of a window in which a chat was opened.
---@param win integer
---@param axis codex-chat.Axis
function M.opened(win, axis)
  states[win] = nil
  local extent = by_hand[axis] or configured(axis)
  -- Neovim 0.10 makes a window that is split off at the edge as large as the others.
  set[axis](win, M.opening(axis))
  hold(win, extent)
  if axis == "width" and vim.o.equalalways then
    -- Like after any split.
    even_out(win)
  elseif axis == "width" then
    relieve(win)
  end
  hold(win, extent)
end

--- Keeps the present size of a window in which a chat has taken the place of another buffer.
---@param win integer
function M.taken(win)
  states[win] = nil
  if not registry.floats(win) then
    hold(win)
  end
end

--- Restores the size after another buffer was in the window for a moment.
---@param win integer
function M.back(win)
  local state = states[win]
  local axis = axis_of(win)
  if state and axis and axis == state.axis and state.is_fixed then
    set[axis](win, state.cells)
    hold(win)
  end
end

--- The chat was entered: if it was shrunk, it gets its size back.
---@param win integer
function M.entered(win)
  local state = states[win]
  local axis = axis_of(win)
  if state and axis and get[axis](win) < least[axis] then
    restore(win, state, axis, true)
  end
end

--- Starts to watch windows. Idempotent.
function M.watch()
  local group = require("codex-chat.events").first_group("size")
  if not group then
    return
  end
  api.nvim_create_autocmd({ "WinResized", "TabEnter" }, { group = group, callback = look })
  api.nvim_create_autocmd("WinEnter", {
    group = group,
    callback = function()
      if registry.get(0) and not states[api.nvim_get_current_win()] then
        vim.schedule(look)
      end
      -- Follows WinResized, if there is one.
      api.nvim_create_autocmd("SafeState", {
        group = group,
        once = true,
        callback = function()
          was_current = api.nvim_get_current_win()
        end,
      })
    end,
  })
  api.nvim_create_autocmd("WinClosed", {
    group = group,
    callback = function(args)
      states[tonumber(args.match) or 0] = nil
    end,
  })
end

return M
