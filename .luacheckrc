std = "luajit"
read_globals = { "vim" }
globals = { "vim.g", "vim.b", "vim.bo", "vim.wo", "vim.o", "vim.opt", "vim.env" }
-- stylua keeps code to 100 columns; a sentence for the user is not broken up.
max_line_length = false
