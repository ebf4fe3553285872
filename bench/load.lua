-- What wrk sends: wrk --script load.lua URL -- MODE PATH FILE, where FILE has a line for each request.
--   post      each line is a body
--   bearer    each line is an access token, for GET
--   rotate    each line is a refresh token, which its successor replaces, or another one where there is none (bare axum)
--   register  the line is a body in which %n is to be another number each time
-- What is not said here is made ready before the clock runs.

local lines, ready, turn = {}, {}, 0
local mode, path

local function in_turn()
  turn = turn % #ready + 1
  return ready[turn]
end

local function body(text)
  return wrk.format("POST", path, nil, text)
end

function init(arguments)
  mode, path = arguments[1], arguments[2]
  for line in io.lines(arguments[3]) do
    lines[#lines + 1] = line
  end
  if mode == "bearer" then
    for _, token in ipairs(lines) do
      ready[#ready + 1] = wrk.format("GET", path, { ["Authorization"] = "Bearer " .. token })
    end
    request = in_turn
    return
  end
  wrk.headers["Content-Type"] = "application/json"
  if mode == "post" then
    for _, text in ipairs(lines) do
      ready[#ready + 1] = body(text)
    end
    request = in_turn
  elseif mode == "rotate" then
    request = function()
      return body('{"refresh":"' .. table.remove(lines, 1) .. '"}')
    end
    response = function(_, _, answer)
      lines[#lines + 1] = string.match(answer, '"refresh": *"([^"]+)"') or lines[1]
    end
  elseif mode == "register" then
    request = function()
      turn = turn + 1
      return body((string.gsub(lines[1], "%%n", turn)))
    end
  end
end
