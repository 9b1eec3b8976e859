# ROS 2 wheels carry include paths of the machine that built them; a compiler pointed at a missing folder only warns, but
# CMake refuses an imported target whose include folder does not exist. Passed as -DCMAKE_PROJECT_INCLUDE=<this file>,
# it takes those paths out after the whole project is read. A ROS 2 installation has no such paths and is left alone.
cmake_minimum_required(VERSION 3.19)

function(_drop_foreign_includes)
  get_property(_targets DIRECTORY "${CMAKE_SOURCE_DIR}" PROPERTY IMPORTED_TARGETS)
  foreach(_target IN LISTS _targets)
    get_target_property(_includes ${_target} INTERFACE_INCLUDE_DIRECTORIES)
    if(_includes)
      list(FILTER _includes EXCLUDE REGEX "^/opt/python/")
      set_target_properties(${_target} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${_includes}")
    endif()
  endforeach()
endfunction()

cmake_language(DEFER CALL _drop_foreign_includes)
