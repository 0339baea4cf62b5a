! Charge that diffuses in a detector before it is read out: `steps` explicit steps of u <- u + ratio * (second difference of u), no flux
! through the ends, then white noise. The physics is here; diffusion.c tells unchannel about it.
!
! Rules for a plugin in Fortran: no SAVE (a variable initialised where it is declared has it), no COMMON, no PRINT and no STOP, since
! samples run at the same time and the process belongs to the host; errors go back as a status.
module diffusion
  use, intrinsic :: iso_c_binding, only: c_double, c_float, c_int64_t
  implicit none
  private

  interface
    ! In diffusion.c: standard normals of one sample. Keys and ids are 64 bits; that Fortran's integers have a sign does not matter.
    subroutine normal_fill(key, id, count, normals) bind(c)
      import :: c_float, c_int64_t
      integer(c_int64_t), value :: key, id, count
      real(c_float), intent(out) :: normals(count)
    end subroutine normal_fill
  end interface

contains

  ! The mean of the observation. The operator is symmetric, so this is its own adjoint.
  subroutine diffuse(pixels, steps, ratio, x, y) bind(c)
    integer(c_int64_t), value :: pixels, steps
    real(c_double), value :: ratio
    real(c_float), intent(in) :: x(pixels)
    real(c_float), intent(out) :: y(pixels)
    real(c_double) :: u(pixels), flux(0:pixels)
    integer(c_int64_t) :: step

    u = real(x, c_double)
    flux = 0
    do step = 1, steps
      flux(1:pixels - 1) = ratio * (u(1:pixels - 1) - u(2:pixels))
      u = u + (flux(0:pixels - 1) - flux(1:pixels))
    end do
    y = real(u, c_float)
  end subroutine diffuse

  subroutine observe(pixels, steps, ratio, sigma, key, id, x, y) bind(c)
    integer(c_int64_t), value :: pixels, steps, key, id
    real(c_double), value :: ratio, sigma
    real(c_float), intent(in) :: x(pixels)
    real(c_float), intent(out) :: y(pixels)
    real(c_float) :: normals(pixels)

    call diffuse(pixels, steps, ratio, x, y)
    call normal_fill(key, id, pixels, normals)
    y = y + real(sigma, c_float) * normals
  end subroutine observe

end module diffusion
